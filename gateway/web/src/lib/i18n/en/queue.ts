import { plural } from '../plural';

export const queue = {
  title: 'Queue',
  away: (span: string) => `You were away for ${span}:`,
  awayPictures: (count: number) => `${plural(count, 'picture was', 'pictures were')} finished`,
  awayFailed: (count: number) => `${plural(count, 'job', 'jobs')} failed`,
};
