const problem = (at: string): Record<string, string> => ({
  [at]: 'Why: a finding.',
  [`${at}.code`]: 'Stable and never reused, e.g. `scep-rejected`.',
  [`${at}.title`]: 'One line.',
  [`${at}.detail`]: "What was seen, in the other side's own words where there are any.",
  [`${at}.hint`]: 'What to do.',
  [`${at}.side`]: 'Who has to act.',
  [`${at}.retry`]: 'What ends the wait: time, a changed document, or nothing.',
  [`${at}.retryAfter`]: 'Seconds until the next try, where the other side says so.',
  [`${at}.evidence`]: 'What was seen, in order.',
})

export const finding = problem

export const messages = {
  command: {
    schema: 'Version of this document.',
    id: 'Chosen by the operator. A command is executed at most once per id; a repeat gets the stored reply.',
    command: 'What to do.',
    expires: 'Not executed after this time. Judged by a clock that is trusted alone.',
    network: 'Id of the network; `test` and `preflight` without one mean all.',
  },
  reply: {
    schema: 'Version of this document.',
    id: 'Id of the command; empty where none can be read.',
    command: 'The command.',
    at: 'When it was answered.',
    outcome:
      '`refused`: not executed. `interrupted`: begun, and the agent ended before the outcome was known.',
    text: 'One sentence.',
    ...problem('problem'),
    problems: 'What is wrong with a command that was refused.',
    'problems[].path': 'Where.',
    'problems[].message': 'What.',
    'problems[].hint': 'What to write instead.',
    data: 'Facts, by command.',
    repeated: 'The id was seen before; this is the reply it got then.',
  },
  event: {
    schema: 'Version of this document.',
    epoch: 'New with every new store of the sensor. (epoch, number) identifies an event.',
    number:
      'Counts up by one within the epoch. A gap that no `dropped` explains is a loss; a number seen before is a duplicate.',
    at: 'When it happened, by the clock of the sensor.',
    event: 'What happened, e.g. `step-done`, `certificate-issued`, `joined`.',
    network: 'Id of the network.',
    interface: 'Name of the interface.',
    severity: 'How much it matters.',
    text: 'One sentence.',
    data: 'Facts, by event. Never a secret.',
    dropped: 'Events before this one that were dropped for want of space.',
    'dropped.from': 'First number.',
    'dropped.to': 'Last number.',
  },
  presence: {
    schema: 'Version of this document.',
    state:
      '`away`: a planned absence, while the sensor changes networks. `offline` is also the Will Message.',
    instance: 'New with every process. Two at once under one id are a cloned card.',
    at: 'Since when.',
    until: 'Back at the latest, as far as the sensor knows.',
  },
}
