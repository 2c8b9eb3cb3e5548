#!/usr/bin/env node
// Stands here so that it can be linked before the package is built.
import '../dist/main.js';
