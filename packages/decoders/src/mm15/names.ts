export const mm15Names = { rules: [] };
