/** Numbers, times and sizes for people. Pure, but for the clock where it is the default. */

/** Seconds in a proto Duration, "3.5s"; undefined: none. */
export function seconds(duration: string | undefined): number | undefined {
  const value = parseFloat(duration ?? '');
  return Number.isNaN(value) ? undefined : value;
}

/** "40 s", "3 min", "1 h 5 min". */
export function span(value: number): string {
  const whole = Math.max(0, Math.round(value));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** "1.5 GB", in powers of 1024 as file managers count. */
export function bytes(value: number | string): string {
  let amount = Number(value);
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount >= 100 || unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

/** "just now", "5 minutes ago", "yesterday" of a time in RFC 3339. */
export function ago(time: string, language: string, now = Date.now()): string {
  const past = Math.min(0, Date.parse(time) - now) / 1000; // another machine's clock may be ahead
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [60, 'second'],
    [3600, 'minute'],
    [86_400, 'hour'],
    [7 * 86_400, 'day'],
  ];
  let size = 1;
  for (const [limit, unit] of steps) {
    if (-past < limit) return relative.format(Math.round(past / size), unit);
    size = limit === 7 * 86_400 ? size : limit;
  }
  return new Date(time).toLocaleDateString(language, { dateStyle: 'medium' });
}

/** Date and time of a moment in RFC 3339. */
export function moment(time: string, language: string): string {
  return new Date(time).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' });
}
