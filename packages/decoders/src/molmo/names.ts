export const molmoNames = () => ({ rules: [] });
