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
 * What its owner should know about a document that is ready: what of it could not be read, and why looking at it again
 * was in vain.
 * @param {{ warnings?: readonly { message: string }[], lastRun?: { outcome?: string | null, reason?: string | null } | null, progress: { status: string } }} document
 * @returns {string[]}
 */
export const remarksOf = ({ warnings = [], lastRun, progress: { status } }) => {
  if (!status.startsWith('READY')) return [];
  const words = warnings.slice(0, 3).map(({ message }) => message);
  if (warnings.length > 3) words.push(`There are ${warnings.length - 3} more remarks about it.`);
  if (lastRun?.outcome === 'FAILED') words.push(`It is as it was, since this was in vain: ${lastRun.reason}`);
  return words;
};

/**
 * How far a crawl is, and what came of it.
 * @param {{ status: string, statusReason?: string | null, pagesFound: number, pagesDone: number, pagesAdded: number, pagesUnchanged: number, pagesSkipped: number, pagesFailed: number }} crawl
 */
export function walked({ status, statusReason, pagesFound, pagesDone, pagesAdded, pagesUnchanged, pagesSkipped, pagesFailed }) {
  if (status === 'QUEUED') return 'waiting for its turn';
  if (status === 'RUNNING') return `${pagesDone} of ${pagesFound} pages so far`;
  const counts = [[pagesAdded, 'added'], [pagesUnchanged, 'unchanged'], [pagesSkipped, 'left out'], [pagesFailed, 'not readable']];
  const told = counts.filter(([count]) => count).map(([count, what]) => `${count} ${what}`).join(', ') || 'no pages';
  return [`${status === 'CANCELED' ? 'Canceled: ' : ''}${told}.`, statusReason].filter(Boolean).join(' ');
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
