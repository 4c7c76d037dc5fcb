/** First words of npm start that are commands, not selections. */

/** Those with a command line of their own: they must stand first. */
export const ownCommands = ['mutants', 'explore'] as const;

/** Those that parseCli knows. */
export const plainCommands = ['doctor', 'spec', 'merge', 'shell', 'list', 'help'] as const;

export const commands = [...plainCommands, ...ownCommands];
