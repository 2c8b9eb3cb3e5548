export const persimmonNames = () => ({ rules: [] });
