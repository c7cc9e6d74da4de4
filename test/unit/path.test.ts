import './path/lease.ts'
import './path/routing.ts'
import './path/ip.ts'
import './path/failures.ts'
