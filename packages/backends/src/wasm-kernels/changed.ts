/** How often the data behind a data id was changed where it lies. */
const changes = new WeakMap<object, number>();

/** To be called by whatever changes the data of a tensor in place: copies made of it are outdated. */
export function markChanged(dataId: object): void {
  changes.set(dataId, changesOf(dataId) + 1);
}

/** A number that differs whenever the data was changed in between, for who keeps something made from it. */
export const changesOf = (dataId: object): number => changes.get(dataId) ?? 0;
