import type { AttemptEvent } from './attempt.ts'

/** An event of an attempt as a line for a person; none for what says nothing. */
export function describe(event: AttemptEvent): string[] {
  const at = `${event.ms.toFixed(0)} ms`
  switch (event.kind) {
    case 'eap':
      return [`${at} EAP ${event.status}${event.parameter === '' ? '' : `: ${event.parameter}`}`]
    case 'certificate':
      return [
        `${at} server certificate depth ${String(event.certificate.depth)}: ${event.certificate.subject}`,
      ]
    case 'request':
      return [`${at} supplicant asks for ${event.field}`]
    case 'state':
      return [`${at} state ${event.state}`]
    case 'carrier':
      return [`${at} carrier ${event.up ? 'up' : 'lost'}`]
    case 'enabled':
      return [`${at} interface ${event.enabled ? 'up' : 'down'}`]
    case 'disconnect-reason':
      return [`${at} disconnect reason ${String(event.reason)}`]
    case 'auth-status':
    case 'assoc-status':
      return event.status === 0 ? [] : [`${at} ${event.kind} ${String(event.status)}`]
    case 'act':
      return event.act === 'logon' ? [`${at} EAPOL-Start sent`] : [`${at} network selected again`]
    case 'psk-mismatch':
      return [`${at} passphrase mismatch`]
    case 'selected':
      return [`${at} network selected`]
    case 'auth-mode':
    case 'bss':
    case 'current-network':
    case 'network-added':
    case 'network-removed':
    case 'blob-removed':
    case 'scan-done':
    case 'tick':
      return []
  }
}
