// What the server tells by enums and moments, in words, in plain JavaScript, so that all examples can use it.

/** @type {Record<string, string | undefined>} */
const groundings = {
  PARTIAL: 'Only a part of this is supported by the documents.',
  NOT_FOUND: 'The documents do not answer this.',
};

/** @type {Record<string, string | undefined>} */
const notices = {
  OFFLINE_ANSWER: 'Quoted from the documents, without a language model.',
  LEXICAL_ONLY: 'Found by words alone: what the documents say in other words may be missing.',
  FILTERED: 'Something in this answer was made harmless.',
};

/**
 * What a reader should know about an answer, beside its text. That it is grounded needs no word; what a newer server
 * adds is left out.
 * @param {{ grounding?: string | null, notices?: readonly string[] }} message
 * @returns {string[]}
 */
export const remarks = (message) =>
  [groundings[message.grounding ?? ''], ...(message.notices ?? []).map((notice) => notices[notice])].filter((words) => words !== undefined);

/**
 * What is on its way, or what it waits for.
 * @param {{ statusReason?: string | null, progress: { status: string, percent: number, retryAt?: string | null } }} document
 */
export function underWay({ statusReason, progress: { status, percent, retryAt } }) {
  if (retryAt && statusReason) return `${statusReason}${at(retryAt, 'Next try at')}`;
  return `${status.toLowerCase().replace('_', ' ')}, ${Math.round(percent)} %`;
}

/**
 * Why there is no answer, and from when on another try is of use.
 * @param {{ message: string, retryAt?: string | null }} error
 */
export const whyNot = ({ message, retryAt }) => message + at(retryAt, 'Not before');

/**
 * @param {string | null | undefined} moment
 * @param {string} what
 */
function at(moment, what) {
  return moment && Date.parse(moment) > Date.now() ? ` ${what} ${new Date(moment).toLocaleTimeString()}.` : '';
}
