/** A file that does not load, for verdicts.test.ts. */
throw new Error('cannot load');
