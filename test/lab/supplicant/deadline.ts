import t from 'tap'

// Real deadlines are waited for here (10 and 15 s), so the 30 s which tap gives a file are too few.
t.setTimeout(280_000)
