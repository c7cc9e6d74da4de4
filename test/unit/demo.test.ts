import './demo/story.ts'
import './demo/timeline.ts'
import './demo/summary.ts'
