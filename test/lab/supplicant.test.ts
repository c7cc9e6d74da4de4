import './supplicant/deadline.ts'
import './supplicant/joining.ts'
import './supplicant/findings.ts'
