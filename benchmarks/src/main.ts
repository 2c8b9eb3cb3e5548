import { parseOptions, USAGE } from './options.ts';
import { printProfiles } from './print-profiles.ts';

const options = parseOptions(process.argv.slice(2));
if (options.help) console.log(USAGE);
else if (options.profile) await printProfiles(options.profile, options);
process.exit();
