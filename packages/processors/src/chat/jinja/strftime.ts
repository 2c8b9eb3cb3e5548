import { fail } from '../fail';
import { made } from '../limits';

const months = 'January February March April May June July August September October November December'.split(
  ' ',
);
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

const two = (value: number): string => String(value).padStart(2, '0');
const dayOfYear = (date: Date): number =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) /
      864e5,
  ) + 1;

const directives: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => days[date.getDay()].slice(0, 3),
  A: (date) => days[date.getDay()],
  b: (date) => months[date.getMonth()].slice(0, 3),
  B: (date) => months[date.getMonth()],
  d: (date) => two(date.getDate()),
  D: (date) => strftime(date, '%m/%d/%y'),
  e: (date) => String(date.getDate()).padStart(2),
  f: (date) => String(date.getMilliseconds() * 1000).padStart(6, '0'),
  F: (date) => strftime(date, '%Y-%m-%d'),
  h: (date) => strftime(date, '%b'),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  j: (date) => String(dayOfYear(date)).padStart(3, '0'),
  m: (date) => two(date.getMonth() + 1),
  M: (date) => two(date.getMinutes()),
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  R: (date) => strftime(date, '%H:%M'),
  S: (date) => two(date.getSeconds()),
  t: () => '\t',
  T: (date) => strftime(date, '%H:%M:%S'),
  u: (date) => String(date.getDay() || 7),
  w: (date) => String(date.getDay()),
  y: (date) => two(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  Z: () => '',
  z: () => '',
  '%': () => '%',
};

/**
 * Python's `strftime` of a local time, in English whatever the locale; `%-d` and its like without the zero.
 * @throws TemplateError for a directive of weeks or locales.
 */
export function strftime(date: Date, format: string): string {
  const text = format.replace(/%(-?)(.?)/gsu, (all, short, directive) => {
    if (!Object.hasOwn(directives, directive)) return fail('value', `strftime_now does not know ${all}`);
    const value = directives[directive](date);
    return short ? value.replace(/^[0 ]+(?=.)/, '') : value;
  });
  return made(text);
}
