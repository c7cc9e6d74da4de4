import { type Connection, SupplicantInterface } from '../../../supplicant/interface.ts'
import type { LinkChange, Links } from '../../../supplicant/links.ts'

const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'

function withResolvers() {
  let resolve: (value: unknown[]) => void = () => undefined
  const promise = new Promise<unknown[]>(settle => (resolve = settle))
  return { promise, resolve }
}

/** An interface without a supplicant behind it: what it is told, and the calls it makes. */
export function wire(carrier: boolean, driver: 'wired' | 'nl80211' = 'wired') {
  const calls: string[] = []
  let all: Promise<unknown[]> = Promise.resolve([])
  let listener: (change: LinkChange) => void = () => undefined
  let link: LinkChange = { name: 'eth0', carrier, enabled: true, index: 2, gone: false }
  const links: Pick<Links, 'carrier' | 'enabled' | 'on'> = {
    carrier: () => link.carrier,
    enabled: () => link.enabled,
    on: told => {
      listener = told
      return { [Symbol.dispose]: () => undefined }
    },
  }
  const connection: Connection = {
    links: links as Links,
    call: (_path, _name, member) => {
      calls.push(member)
      return member === 'GetAll' ? all : Promise.resolve(member === 'AddNetwork' ? ['/n'] : [])
    },
  }
  const eth0 = new SupplicantInterface({ name: 'eth0', driver }, '/i', connection)
  const signal = (name: string, member: string, body: unknown[]): void => {
    eth0.received({ path: '/i', interface: name, member, body, at: performance.now() })
  }
  return {
    eth0,
    calls,
    plug: () => {
      link = { ...link, carrier: true }
      listener(link)
    },
    /** What is asked for all properties is answered when the function given is called. */
    answering: () => {
      const { promise, resolve } = withResolvers()
      all = promise
      return (properties: object) => resolve([properties])
    },
    added: (path: string) => signal(INTERFACE, 'NetworkAdded', [path, {}]),
    selected: () => signal(INTERFACE, 'NetworkSelected', ['/n']),
    state: (State: string) =>
      signal('org.freedesktop.DBus.Properties', 'PropertiesChanged', [INTERFACE, { State }, []]),
    eap: (status: string, parameter = '') => signal(INTERFACE, 'EAP', [status, parameter]),
    /** EAPLogons that send an EAPOL-Start: those after the last selection. */
    starts: () => calls.slice(calls.lastIndexOf('SelectNetwork')).filter(name => name === 'EAPLogon').length,
  }
}
