import './desired/profile.ts'
import './desired/sensor.ts'
import './desired/composition.ts'
