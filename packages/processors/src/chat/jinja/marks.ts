// Names that no template can spell, of what is rewritten for the parser.

export const generationMark = '<generation>';
export const withMark = '<with>';
export const callTuple = '<tuple>';
