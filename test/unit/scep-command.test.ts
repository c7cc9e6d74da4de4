/** `sonde scep`: the client by hand, against the tests' own server. */
import './scep/command.ts'
import './scep/command-folder.ts'
import './scep/command-words.ts'
