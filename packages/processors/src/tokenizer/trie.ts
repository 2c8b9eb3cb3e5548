interface Node {
  id?: number;
  readonly next: Map<number, Node>;
}

/** Finds the tokens that a text has at a place. */
export class Trie {
  private readonly root: Node = { next: new Map() };

  constructor(vocabulary: ReadonlyMap<string, number>) {
    for (const [token, id] of vocabulary) {
      if (token === '') continue;
      let node = this.root;
      for (let i = 0; i < token.length; i++) {
        const unit = token.charCodeAt(i);
        let child = node.next.get(unit);
        if (!child) {
          child = { next: new Map() };
          node.next.set(unit, child);
        }
        node = child;
      }
      node.id = id;
    }
  }

  /** Calls `found` with the end and the id of each token that the text has at `from`. */
  prefixes(text: string, from: number, found: (end: number, id: number) => void): void {
    let node: Node | undefined = this.root;
    for (let i = from; i < text.length; i++) {
      node = node.next.get(text.charCodeAt(i));
      if (!node) return;
      if (node.id !== undefined) found(i + 1, node.id);
    }
  }
}
