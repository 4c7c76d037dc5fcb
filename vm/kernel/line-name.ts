/** What a kernel line is called: a version, or a version and a word of somebody's own; and what a message says of it. */
export const lineName = /^\d+\.\d+(-[\w.-]+)?$/;
export const aLineName = 'a kernel line such as "6.12" or "6.12-mine", in quotes';
