/** Where the topics were first; they belong to the documents, which the operator's side shares. */
export { networkOfTopic, topicsOf, type Topics } from '../desired/topics.ts'
