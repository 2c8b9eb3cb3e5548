/** Repetitions that count as endless: at least so many. */
const many = 10;
/** One after the other, each of these multiplies the time by the length of the text. */
const mostInARow = 3;

interface Group {
  /** Of the alternative that is being read, and the most that one before it had. */
  endless: number;
  most: number;
  /** Whether its text can be cut into parts in more than one way. */
  varies: boolean;
}

const newGroup = (): Group => ({ endless: 0, most: 0, varies: false });

/**
 * Why a regular expression may take longer than the world will last, or undefined: a group that is repeated holds
 * repetitions or alternatives, or too many repetitions follow one another. What published tokenizers have is below
 * that: two in a row, and repeated groups of a fixed length.
 */
export function endlessRepetition(source: string): string | undefined {
  const groups = [newGroup()];
  /** The group that was closed by the character before. */
  let closed: Group | undefined;
  for (let at = 0; at < source.length; ) {
    const group = groups[groups.length - 1];
    const quantifier = quantifierAt(source, at);
    if (quantifier) {
      const [length, least, most] = quantifier;
      if (most >= many) {
        if (closed && (closed.varies || closed.most > 0)) return 'which repeats a group that varies';
        if (least !== most) group.endless++;
      }
      group.varies ||= least !== most;
      closed = undefined;
      at += length;
      // Lazy, or possessive.
      if (source[at] === '?' || source[at] === '+') at++;
      continue;
    }
    closed = undefined;
    const character = source[at];
    if (character === '(') groups.push(newGroup());
    else if (character === ')' && groups.length > 1) {
      closed = ended(groups.pop()!);
      const outer = groups[groups.length - 1];
      outer.endless += closed.most;
      outer.varies ||= closed.varies;
    } else if (character === '|') {
      ended(group);
      group.varies = true;
    }
    at = character === '[' ? endOfClass(source, at) : at + (character === '\\' ? 2 : 1);
  }
  return groups.some((group) => ended(group).most > mostInARow)
    ? `which has more than ${mostInARow} repetitions in a row`
    : undefined;
}

function ended(group: Group): Group {
  group.most = Math.max(group.most, group.endless);
  group.endless = 0;
  return group;
}

/** Its length, and how often it lets something be repeated. */
function quantifierAt(
  source: string,
  at: number,
): readonly [length: number, least: number, most: number] | undefined {
  switch (source[at]) {
    case '*':
      return [1, 0, Number.POSITIVE_INFINITY];
    case '+':
      return [1, 1, Number.POSITIVE_INFINITY];
    case '?':
      // At the beginning of a group it says of what kind that is.
      return source[at - 1] === '(' ? undefined : [1, 0, 1];
    case '{': {
      const found = /^\{(\d*)(,?)(\d*)\}/.exec(source.slice(at, at + 40));
      if (!found || found[0].length === 2) return undefined;
      const [whole, least, comma, most] = found;
      if (!comma) return [whole.length, Number(least), Number(least)];
      return [whole.length, Number(least), most ? Number(most) : Number.POSITIVE_INFINITY];
    }
    default:
      return undefined;
  }
}

/** Classes hold classes. A bracket at the beginning of one is a character. */
function endOfClass(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '[') {
      depth++;
      if (source[at + 1] === '^') at++;
      if (source[at + 1] === ']') at++;
    } else if (source[at] === ']' && --depth === 0) return at + 1;
  }
  return source.length;
}
