/** The one place that says which version this is; a test holds it against package.json. */
export const version = '0.1.0'

/** When this version was made: no sensor runs it earlier, whatever its clock says. */
export const buildTime = Date.UTC(2026, 10, 1)
