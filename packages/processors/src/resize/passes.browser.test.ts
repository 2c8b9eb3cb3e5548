import { describePasses } from '../testing/passes';

describePasses();
