/** What a stream told of five jobs of the demo, and what GetJob answered meanwhile: made, moved, paused, cancelled, too late. */
import type { Job } from '$lib/api/contract';
import type { IncomingEvent } from '../queue';
import recording from './recording.json';

export const events = recording.events as unknown as IncomingEvent[];
/** One for each job and number of its history that was seen. */
export const answers = recording.answers as unknown as Job[];
/** Each job in the end. */
export const last = [...new Map(answers.map((job) => [job.job_id, job])).values()];
