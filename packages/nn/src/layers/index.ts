export * from './attention';
export * from './embedding';
export * from './hold-weights';
export * from './linear';
export * from './mlp';
export * from './moe-mlp';
export * from './norm';
export * from './transformer-block';
