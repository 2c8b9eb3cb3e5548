export * from './compare';
export * from './gradients';
export * from './leaks';
