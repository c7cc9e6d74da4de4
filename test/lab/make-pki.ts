/** `node --import ./test/setup/typescript.mjs test/lab/make-pki.ts`: makes what laboratories keep of certificates and keys. */
import { pki } from './pki.ts'

await pki()
