import {
  ConfigError,
  type ImageTokens,
  PlaceholderCountError,
  type TokenIds,
  type ViewTokens,
} from '@mmllm/core';

/** Text that names a view, and the tokens that it becomes. */
export interface TileTag {
  readonly text: string;
  readonly ids: readonly number[];
}

/** The tags of a picture's views (NVLM, Dai et al. 2024, arXiv:2409.11402). */
export interface TileTags {
  /** Of the first tile, the second, and so on. */
  readonly tiles: readonly TileTag[];
  /** Of the thumbnail, or of the only view. */
  readonly thumbnail: TileTag;
}

/** A view and its tag. */
export interface TaggedView {
  /** Its index among the picture's. */
  readonly view: number;
  readonly tag: TileTag;
}

/** The views of a picture that count, with their tags. @throws ConfigError for more tiles than tags. */
export function taggedViews(component: string, { views }: ImageTokens, tags: TileTags): TaggedView[] {
  const counted = views.flatMap((view, i) => (view.valid === false ? [] : [{ view, i }]));
  const isTile = ({ role }: ViewTokens) => role === 'tile' && counted.length > 1;
  let next = 0;
  return counted.map(({ view, i }) => {
    if (!isTile(view)) return { view: i, tag: tags.thumbnail };
    if (next < tags.tiles.length) return { view: i, tag: tags.tiles[next++] };
    throw new ConfigError({
      component,
      expected: `pictures of at most ${tags.tiles.length} tiles, one for each tag`,
      actual: `${counted.filter(({ view: other }) => isTile(other)).length} tiles`,
    });
  });
}

/** Tokens of a tag, which see one view alone. */
export interface TagPlace {
  readonly from: number;
  readonly to: number;
  readonly view: number;
}

/**
 * Where the tags of a picture stand: one after the other, from `position` on.
 * @throws PlaceholderCountError if they do not.
 */
export function findTags(
  component: string,
  ids: TokenIds,
  sample: number,
  position: number,
  tagged: readonly TaggedView[],
): TagPlace[] {
  let from = position;
  return tagged.map(({ view, tag }) => {
    const to = from + tag.ids.length;
    if (!standsAt(ids, sample, from, tag.ids)) {
      throw new PlaceholderCountError({
        component,
        expected: `the tag '${tag.text}' (ids ${tag.ids.join(', ')}) at position ${from} of sample ${sample}`,
        actual: `ids ${ids.data.subarray(sample * ids.shape[1] + from, sample * ids.shape[1] + to).join(', ')}`,
      });
    }
    const place = { from, to, view };
    from = to;
    return place;
  });
}

/**
 * The last place of these tokens before `position`, from `after` on.
 * @throws PlaceholderCountError if there is none.
 */
export function findBefore(
  component: string,
  ids: TokenIds,
  sample: number,
  { position, after, tokens }: { position: number; after: number; tokens: readonly number[] },
): number {
  for (let from = position - tokens.length; from >= after; from--) {
    if (standsAt(ids, sample, from, tokens)) return from;
  }
  throw new PlaceholderCountError({
    component,
    expected: `the opening (ids ${tokens.join(', ')}) of the picture at position ${position} of sample ${sample}`,
    actual: 'none before it',
  });
}

function standsAt(
  { data, shape }: TokenIds,
  sample: number,
  from: number,
  tokens: readonly number[],
): boolean {
  return (
    from + tokens.length <= shape[1] && tokens.every((id, i) => data[sample * shape[1] + from + i] === id)
  );
}
