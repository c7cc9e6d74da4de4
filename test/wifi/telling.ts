/** What the program in the virtual machine tells the test outside, one JSON document a line. */
export type Telling =
  | { kind: 'scenario'; name: string }
  | { kind: 'check'; ok: boolean; sentence: string; details?: Record<string, unknown> }
  | { kind: 'comment'; text: string }
  | { kind: 'over'; ms: number }
  | { kind: 'figures'; figures: Record<string, number[]> }
  /** After the last scenario. */
  | { kind: 'end'; scenarios: number }
