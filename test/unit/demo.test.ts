import './demo/story.ts'
import './demo/renewal.ts'
import './demo/timeline.ts'
import './demo/summary.ts'
