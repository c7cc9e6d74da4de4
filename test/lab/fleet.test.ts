import './mqtt/fleet.ts'
import './mqtt/rights.ts'
