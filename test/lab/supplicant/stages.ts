/** What tells in wpa_supplicant's log that a join has come to a stage; on the wire and on the air. */
export const STAGES = {
  selecting: /dbus: .*\.SelectNetwork /,
  associated: /State: \S+ -> ASSOCIATED/,
  'eap-started': /CTRL-EVENT-EAP-STARTED/,
  method: /CTRL-EVENT-EAP-METHOD/,
  'server-certificate': /CTRL-EVENT-EAP-PEER-CERT depth=0/,
  verified: /Status notification: remote certificate verification \(param=success\)/,
  authenticated: /CTRL-EVENT-EAP-SUCCESS/,
  completed: /CTRL-EVENT-CONNECTED/,
}
export type Stage = keyof typeof STAGES

/** There is no access point to look for on a wire. */
export const AIR_STAGES = {
  scanning: /nl80211: scan request/,
  ...STAGES,
  associating: /State: \S+ -> ASSOCIATING/,
}
export type AirStage = keyof typeof AIR_STAGES
