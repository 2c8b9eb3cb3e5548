export const ariaMoeNames = () => ({ rules: [] });
