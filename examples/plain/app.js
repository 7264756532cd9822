// The page: it shows what api.js and stream.js bring.
import * as session from '../shared/session.js';
import { remarks, remarksOf, underWay, walked, whyNot } from '../shared/words.js';
import { change, run } from './api.js';
import { follow, resumed } from './stream.js';
import { send } from './upload.js';

const $ = (selector, inside = document) => inside.querySelector(selector);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
};

let visit = new AbortController(); // ends what one visit to the workspace has begun
let bot, conversationId;

/** Sends a form by send, and shows below it what goes wrong. */
function onSubmit(form, send) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    await attempt(form, () => send(Object.fromEntries(new FormData(form))));
  });
}

async function attempt(place, act) {
  const error = $(':scope > .error', place);
  error.hidden = true;
  try {
    await act();
  } catch ({ message }) {
    error.textContent = message;
    error.hidden = false;
  }
}

// Signing in and out

const door = $('#door');
let known = false;
onSubmit(door, async ({ name, email, password }) => {
  const fields = 'accessToken accessTokenExpiresAt refreshToken deviceToken errors { message }';
  session.begin(
    known
      ? await change(`mutation ($input: LogInInput!) { logIn(input: $input) { ${fields} } }`, { email, password, deviceToken: session.deviceToken() })
      : await change(`mutation ($input: RegisterUserInput!) { registerUser(input: $input) { ${fields} } }`, { name, email, password }),
  );
});
$('#forgotten').href = session.forgottenPage;
door.addEventListener('click', ({ target }) => {
  if (target.className !== 'link') return;
  known = !known;
  for (const element of door.querySelectorAll('[data-new]')) element.hidden = known;
  for (const element of door.querySelectorAll('[data-known]')) element.hidden = !known;
  $('[name=name]', door).disabled = known;
});
$('#leave').addEventListener('click', async () => {
  visit.abort(); // subscriptions end before their session does
  await run('mutation { logOut { loggedOut } }').catch(() => {}); // a session that cannot be ended now ends by itself
  session.end();
});
session.onChange(open);
onSubmit($('#first'), async ({ name }) => {
  await change('mutation ($input: CreateBotInput!) { createBot(input: $input) { bot { id } errors { message } } }', { name });
  await open();
});

/** Shows what there is to see: the door, the first bot to make, or the workspace. */
function open() {
  return attempt(document.body, show);
}

async function show() {
  visit.abort();
  visit = new AbortController();
  bot = conversationId = undefined;
  const { viewer } = session.signedIn() ? await run('{ viewer { bots(first: 1) { nodes { id name } } } }') : {};
  bot = viewer?.bots.nodes[0];
  $('#door').hidden = session.signedIn();
  $('#first').hidden = !viewer || Boolean(bot);
  $('#workspace').hidden = !bot;
  if (!bot) return;
  $('.top h1').textContent = bot.name;
  for (const list of [sending, crawls, documents]) list.replaceChildren();
  messages.replaceChildren();
  await listMessages();
  watchDocuments(visit.signal);
  await listCrawls();
}

// Documents

const parts = 'id title statusReason warnings { message } lastRun { outcome reason } progress { status percent retryAt updatedAt }';
const library = $('.documents');
const [sending, crawls, documents] = library.querySelectorAll('ul');
const bar = (value, max, ariaLabel) => make('progress', { value, max, ariaLabel });

async function listDocuments() {
  const { bot: found } = await run(`query ($id: ID!) { bot(id: $id) { documents(first: 20) { nodes { ${parts} } } } }`, { id: bot.id });
  for (const document of found.documents.nodes.reverse()) showDocument(document);
}

/** Follows all documents of the bot. A new stream tells of unfinished ones only: the others are read again. */
async function watchDocuments(signal) {
  const progress = `subscription ($botId: ID!) { documentProgress(botId: $botId) { document { ${parts} } } }`;
  const missed = () => listDocuments().catch(() => {}); // the connection is lost once more, and comes with a new stream
  for await (const { documentProgress: { document } } of untilAborted(resumed(progress, { botId: bot.id }, signal, missed))) {
    if (document) showDocument(document);
  }
}

function showDocument(shown) {
  const { id, title, statusReason, progress: { status, percent, updatedAt } } = shown;
  const old = document.getElementById(id);
  if (old?.dataset.updatedAt > updatedAt) return; // the answer to a query may be older than an event that came before it
  const ready = status.startsWith('READY');
  const failed = ['FAILED', 'NEEDS_OCR', 'CANCELED'].includes(status);
  const entry = make('li', { id },
    title,
    !ready && !failed && bar(percent, 100, 'Progress'),
    ready ? make('p', { className: 'state ready' }, 'Ready')
      : failed ? make('p', { className: 'state failed' }, statusReason ?? status.toLowerCase())
        : make('p', { className: 'state' }, underWay(shown)),
    ...remarksOf(shown).map((words) => make('p', { className: 'hint' }, words)),
  );
  entry.dataset.updatedAt = updatedAt;
  old ? old.replaceWith(entry) : documents.prepend(entry);
}

// A file is sent in parts, so that a lost connection costs one part, and shows how much of it is there.
$('input[type=file]').addEventListener('change', async ({ target }) => {
  const [file] = target.files;
  const here = bar(0, file.size, 'Sending');
  const entry = make('li', {}, file.name, here, make('p', { className: 'state' }, 'sending'));
  sending.append(entry);
  await attempt(library, async () => {
    const create = 'mutation ($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } errors { message } } }';
    const { upload } = await change(create, { botId: bot.id, fileName: file.name, sizeBytes: file.size });
    for await (const { there, documentId } of send(upload.url, file)) {
      here.value = there;
      if (!documentId) continue;
      const { document: added } = await run(`query ($id: ID!) { document(id: $id) { ${parts} } }`, { id: documentId });
      entry.remove();
      showDocument(added);
    }
  });
  entry.remove();
  target.value = '';
});

// Pages, and sites

const crawlParts = 'id url status statusReason pagesFound pagesDone pagesAdded pagesUnchanged pagesSkipped pagesFailed';

onSubmit($('#address'), async ({ url, site }) => {
  if (site) {
    const begin = `mutation ($input: CrawlSiteInput!) { crawlSite(input: $input) { crawl { ${crawlParts} } errors { message } } }`;
    followCrawl((await change(begin, { botId: bot.id, url })).crawl, visit.signal);
  } else {
    const add = `mutation ($input: AddUrlDocumentInput!) { addUrlDocument(input: $input) { document { ${parts} } errors { message } } }`;
    showDocument((await change(add, { botId: bot.id, url })).document);
  }
  $('#address').reset();
});

/** Goes on to follow what was under way when the page was left. */
async function listCrawls() {
  const { bot: found } = await run(`query ($id: ID!) { bot(id: $id) { crawls(first: 12) { nodes { ${crawlParts} } } } }`, { id: bot.id });
  for (const crawl of found.crawls.nodes) if (['QUEUED', 'RUNNING'].includes(crawl.status)) followCrawl(crawl, visit.signal);
}

/** Shows a crawl until it ends. What becomes of its documents is told with all others. */
async function followCrawl(crawl, signal) {
  const here = bar(0, 1, 'Pages');
  const state = make('p', { className: 'state' });
  const cancel = make('button', { className: 'link' }, 'Cancel');
  cancel.onclick = () => attempt(library, () => change('mutation ($input: CancelCrawlInput!) { cancelCrawl(input: $input) { errors { message } } }', { crawlId: crawl.id }));
  const entry = make('li', { id: crawl.id }, new URL(crawl.url).host, here, state, cancel);
  crawls.prepend(entry);
  const progress = `subscription ($id: ID!) { crawlProgress(crawlId: $id) { ${crawlParts} } }`;
  for await (const { crawlProgress: now } of untilAborted(resumed(progress, { id: crawl.id }, signal, () => {}))) {
    here.max = Math.max(now.pagesFound, 1);
    here.value = now.pagesDone;
    state.textContent = walked(now);
    if (!['QUEUED', 'RUNNING'].includes(now.status)) {
      here.remove();
      cancel.remove();
    }
  }
}

// The chat

const messages = $('.messages');
const composer = $('.composer');
const messageParts = 'id role status text grounding notices citations { marker documentTitle pageStart quote } error { message retryable retryAt }';

const stopMessage = 'mutation ($input: StopMessageInput!) { stopMessage(input: $input) { errors { message } } }';
const regenerateMessage = 'mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { errors { message } } }';

async function listMessages() {
  const newest = `query ($id: ID!) { bot(id: $id) { conversations(first: 1) { nodes { id messages(last: 50) { nodes { ${messageParts} } } } } } }`;
  const [conversation] = (await run(newest, { id: bot.id })).bot.conversations.nodes;
  conversationId = conversation?.id;
  if (!conversation) messages.append(make('li', { className: 'hint' }, 'Add a document, then ask something it answers.'));
  conversation?.messages.nodes.forEach(showMessage);
}

function showMessage(message) {
  const entry = make('li');
  messages.append(entry);
  const running = !['COMPLETED', 'STOPPED', 'FAILED', 'INTERRUPTED'].includes(message.status);
  if (running) followInto(entry, message.id, visit.signal);
  else fill(entry, message);
}

/** Shows a running answer as it grows. */
async function followInto(entry, id, signal) {
  const text = make('p', { className: 'text' });
  const hint = make('span', { className: 'hint' });
  const stop = make('button', { className: 'link' }, 'Stop');
  stop.onclick = () => change(stopMessage, { messageId: id }).catch(({ message }) => (hint.textContent = message));
  entry.className = 'message bot running';
  entry.replaceChildren(text, make('div', { className: 'after' }, hint, stop));
  try {
    for await (const answer of untilAborted(follow(id, signal))) {
      text.textContent = answer.text;
      hint.textContent = { PENDING: 'Waiting for its turn', RETRIEVING: 'Looking into the documents' }[answer.status] ?? '';
      entry.dataset.status = answer.status;
      if (answer.finished) fill(entry, answer.finished);
      toEnd();
    }
  } catch ({ message }) {
    hint.textContent = message;
  }
}

/** Shows a final message with its citations. */
function fill(entry, message) {
  const { id, role, status, text, citations, error } = message;
  entry.className = `message ${role === 'USER' ? 'user' : 'bot'}`;
  entry.dataset.status = status;
  const anchor = (marker) => `${id}-${marker}`;
  const marked = text.split(/(\[\d+\])/).map((part) => {
    const cited = citations.find((c) => part === `[${c.marker}]`);
    return cited ? make('a', { className: 'marker', href: `#${anchor(cited.marker)}` }, part) : part;
  });
  const cite = (c) => make('li', { id: anchor(c.marker) },
    make('span', {}, `[${c.marker}]`),
    make('span', {}, make('cite', {}, c.documentTitle), c.pageStart ? `, p. ${c.pageStart}` : '', make('q', {}, c.quote)),
  );
  const again = make('button', { className: 'link' }, 'Try again');
  again.onclick = () => attempt(composer, () => change(regenerateMessage, { messageId: id, clientMessageId: crypto.randomUUID() }).then(open));
  entry.replaceChildren(
    make('p', { className: 'text' }, ...marked),
    citations.length > 0 ? make('ol', { className: 'citations', ariaLabel: 'Citations' }, ...citations.map(cite)) : '',
    ...remarks(message).map((words) => make('p', { className: 'hint' }, words)),
    error ? make('p', { className: 'error' }, whyNot(error)) : '',
    status === 'STOPPED' ? make('p', { className: 'hint' }, 'Stopped.') : '',
    error?.retryable ? make('div', { className: 'after' }, again) : '',
  );
  toEnd();
}

function toEnd() {
  messages.scrollTo(0, messages.scrollHeight);
}

// One id for one question: where the answer to the request is lost, sending again under the same id asks only once.
let clientMessageId = crypto.randomUUID();
$('textarea').addEventListener('input', () => (clientMessageId = crypto.randomUUID()));
$('textarea').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey) return;
  event.preventDefault();
  composer.requestSubmit();
});
onSubmit(composer, async ({ text }) => {
  const send = `mutation ($input: SendMessageInput!) {
    sendMessage(input: $input) { conversation { id } userMessage { ${messageParts} } botMessage { ${messageParts} } errors { message } }
  }`;
  const to = conversationId ? { conversationId } : { botId: bot.id }; // the first message begins a conversation
  const { conversation, userMessage, botMessage } = await change(send, { ...to, text, clientMessageId });
  conversationId = conversation.id;
  $('li.hint', messages)?.remove();
  showMessage(userMessage);
  showMessage(botMessage);
  composer.reset();
  clientMessageId = crypto.randomUUID();
});

/** Yields until the visit ends. */
async function* untilAborted(results) {
  try {
    yield* results;
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}

open();
