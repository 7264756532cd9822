// What a person does, in any of the examples: they look alike to a person, so one script drives all.
import assert from 'node:assert/strict';
import { another, guide, ledger, question } from './handbook.mjs';

/** Drives one example and throws where it does not do what a person expects. */
export async function drive({ browser, page: url, name, shots, ...given }) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  try {
    await visit({ page, url, name, shots, ...given });
  } catch (error) {
    await page.screenshot({ path: `${shots}${name}-failed.png` });
    throw error;
  } finally {
    await context.close();
  }
}

async function visit({ page, url, name, api, wire, file, shots, museum }) {
  const watch = watchPage(page);
  const shot = (what) => page.screenshot({ path: `${shots}${name}-${what}.png` });

  await page.goto(url);
  await page.getByRole('heading', { name: 'Answers from your own documents' }).waitFor();
  await shot('1-door');

  // Nobody is known by a wrong password.
  const email = `${name}@example.com`;
  const password = 'correct horse battery';
  await page.getByRole('button', { name: 'Sign in instead' }).click();
  const forgotten = await page.getByRole('link', { name: 'Forgot your password?' }).getAttribute('href');
  assert.equal(forgotten, `${wire.url}/account/reset-password`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill('not the right one');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: /password/i }).waitFor();
  await shot('2-refused');
  await page.getByRole('button', { name: 'Make an account' }).click();

  await page.getByLabel('Name', { exact: true }).fill('Ada');
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign up' }).click();

  await page.getByLabel('Name of the bot').fill('Librarian');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Librarian' }).waitFor();
  await shot('3-empty');

  // A file is read while its progress is shown; a file of no known type is refused in words.
  const input = page.locator('input[type=file]');
  watch.cutting(true); // where files are sent in parts, browsers tell the console what was refused
  await input.setInputFiles({ name: 'picture.pdf', mimeType: 'application/pdf', buffer: Buffer.from([0, 1, 2, 3, 255, 254]) });
  await page.getByRole('region', { name: 'Documents' }).getByRole('alert').waitFor();
  watch.cutting(false);
  await shot('4-unreadable');
  await input.setInputFiles({ name: 'ledger.txt', mimeType: 'text/plain', buffer: Buffer.from(ledger) });
  // A quick server may be done before anybody has looked.
  const read = page.getByRole('region', { name: 'Documents' }).getByRole('listitem').filter({ hasText: 'ledger' }).getByText('Ready');
  await page.getByRole('progressbar', { name: 'Progress' }).or(read).first().waitFor();
  await shot('5-reading');
  watch.cutting(true);
  await wire.cut();
  await until(async () => (await ask(page, api, documents)).viewer.bots.nodes[0].documents.nodes[0].status === 'READY');
  wire.mend();
  await page.getByRole('status').waitFor({ state: 'hidden' });
  watch.cutting(false);
  await input.setInputFiles(file);
  for (const title of ['ledger', 'handbook']) {
    await page.getByRole('region', { name: 'Documents' }).getByRole('listitem').filter({ hasText: title }).getByText('Ready').waitFor();
  }

  if (name === 'plain') await more({ page, watch, wire, museum, shot });

  // An answer streams, goes on behind a reload and behind a cut wire, and ends as the stored text.
  await say(page, question);
  const answer = page.locator('.message.bot').last();
  await grown(answer, 20);
  await shot('6-streaming');
  const before = await text(answer);
  watch.forget();
  await page.reload();
  await grown(answer, before.length + 10);
  assert.ok((await text(answer)).startsWith(before), 'after the reload the answer goes on where it was');
  assert.ok(watch.cursors().length > 0, 'after the reload the stream is asked for behind a cursor');

  watch.cutting(true);
  const inVain = wire.cut();
  const banner = page.getByRole('status');
  await banner.waitFor();
  await inVain;
  watch.forget();
  await shot('7-lost');
  const atCut = (await text(answer)).length;
  wire.mend();
  await banner.waitFor({ state: 'hidden' });
  watch.cutting(false);
  await grown(answer, atCut + 1);
  assert.equal(watch.resumed(), name === 'plain', 'event streams are resumed by the id of the last event');
  await page.locator('.message.bot[data-status=COMPLETED]').waitFor();
  await page.getByRole('list', { name: 'Citations' }).waitFor();
  await shot('8-finished');

  const stored = await newest(page, api);
  assert.equal(stored.text.length > 60, true, `the answer is long enough to prove anything: ${stored.text}`);
  assert.equal(await text(answer), stored.text, 'what is shown is what is stored');
  for (const seen of await page.evaluate(() => window.seen ?? [])) assert.ok(stored.text.startsWith(seen), `nothing else was ever shown: ${seen}`);
  assert.ok((await page.evaluate(() => new Set(window.seen).size)) > 5, 'the answer came in pieces');
  const quotes = await page.locator('.citations q').allTextContents();
  assert.deepEqual(quotes, stored.citations.map((c) => c.quote), 'the citations are shown');
  assert.ok(quotes.length > 0, 'there are citations');

  // A token that is refused is replaced, once for all who use it.
  watch.refreshes.length = 0;
  await page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('kyrochat.session'));
    localStorage.setItem('kyrochat.session', JSON.stringify({ ...session, accessToken: 'worn.out.token' }));
  });
  await page.reload();
  await page.getByText(stored.text.slice(0, 30)).first().waitFor();
  assert.equal(watch.refreshes.length, 1, 'one refresh for all requests');

  // What could not be sent stays, and is sent again.
  watch.cutting(true);
  wire.cut();
  await banner.waitFor();
  await say(page, another);
  await page.getByRole('alert').filter({ hasText: 'The server cannot be reached.' }).waitFor();
  wire.mend();
  await banner.waitFor({ state: 'hidden' });
  watch.cutting(false);
  await page.getByRole('button', { name: 'Send' }).click();

  // Stop keeps what was written.
  await page.locator('.message.bot').nth(1).waitFor();
  await grown(answer, 10);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.locator('.message.bot[data-status=STOPPED]').waitFor();
  const stopped = await newest(page, api);
  assert.equal(stopped.status, 'STOPPED');
  assert.equal(await text(answer), stopped.text);

  await page.setViewportSize({ width: 390, height: 780 });
  await shot('9-phone');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a phone need not scroll sideways');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Answers from your own documents' }).waitFor();
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), ['kyrochat.device'], 'nothing is left that opens anything');

  // The same person comes back.
  await page.getByRole('button', { name: 'Sign in instead' }).click();
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText(stored.text.slice(0, 30)).first().waitFor();

  assert.deepEqual(watch.complaints, [], 'the console is quiet');
}

/** What one of the examples does besides: a large file in parts, a page, and a site. */
async function more({ page, watch, wire, museum, shot }) {
  const documents = page.getByRole('region', { name: 'Documents' });
  const entry = (title) => documents.getByRole('listitem').filter({ hasText: title });

  // The third part is cut off: only that is sent again.
  const puts = [];
  const third = new Promise((resolve) => {
    page.on('request', (request) => request.method() === 'PUT' && puts.push(request) === 3 && resolve());
  });
  watch.cutting(true);
  await page.locator('input[type=file]').setInputFiles({ name: 'guide.html', mimeType: 'text/html', buffer: Buffer.from(guide) });
  await third;
  await wire.cut();
  await shot('a-sending');
  wire.mend();
  await entry('guide').getByText('Ready').waitFor();
  await page.getByRole('status').waitFor({ state: 'hidden' });
  watch.cutting(false);
  const begun = puts.map((put) => Number(put.headers()['content-range'].match(/\d+/)[0]));
  assert.ok(begun.filter((at) => at === 0).length === 1, `the file is sent from its beginning once: ${begun}`);

  // What is known of a document beside its text is told with it.
  await page.locator('input[type=file]').setInputFiles({ name: 'menu.txt', mimeType: 'text/plain', buffer: Buffer.from(menu, 'latin1') });
  await entry('menu').getByText('does not say its character set').waitFor();

  // A page that cannot be had says so; a site is walked through while its pages become documents.
  const address = page.getByLabel('Address of a page');
  await address.fill(`${museum}gone`);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await entry('/gone').getByText('404').waitFor();
  await address.fill(museum);
  await page.getByLabel('and the pages it leads to').check();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await documents.getByRole('progressbar', { name: 'Pages' }).waitFor();
  await shot('b-walking');
  await documents.getByText('3 added, 1 not readable.').waitFor();
  for (const title of ['Harbour Museum', 'Tickets', 'The ferry']) await entry(title).getByText('Ready').waitFor();
  await shot('c-walked');
}

/** A text in an old character set, which it does not name. */
const menu = 'Das Café öffnet um zehn Uhr. Süße Brötchen und Käsekuchen gibt es täglich, außer an Feiertagen. Für größere Gäste stehen Stühle bereit.\n'.repeat(4);

async function say(page, question) {
  await page.getByLabel('Question').fill(question);
  await page.getByRole('button', { name: 'Send' }).click();
}

const text = (message) => message.locator('.text').textContent();

/** Waits until a message is longer than so many characters. */
async function grown(message, length) {
  await message.page().waitForFunction(
    (length) => [...document.querySelectorAll('.message.bot .text')].at(-1)?.textContent.length > length, length);
}

const documents = '{ viewer { bots { nodes { documents { nodes { status } } } } } }';
const lastMessage = '{ viewer { conversations(first: 1) { nodes { lastMessage { status text citations { quote } } } } } }';

/** The newest message as the server has stored it. */
const newest = async (page, api) => (await ask(page, api, lastMessage)).viewer.conversations.nodes[0].lastMessage;

/** Asks the server itself, as the person who is signed in on the page. */
async function ask(page, api, query) {
  const { accessToken } = await page.evaluate(() => JSON.parse(localStorage.getItem('kyrochat.session')));
  const response = await fetch(api, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` }, body: JSON.stringify({ query }),
  });
  return (await response.json()).data;
}

async function until(condition) {
  while (!(await condition())) await new Promise((wake) => setTimeout(wake, 100));
}

/** Collects what a page complains about, and what it asks the server for. */
function watchPage(page) {
  const complaints = [];
  const refreshes = [];
  let sent = [];
  let lastIds = [];
  let cutting = false;
  const complain = (what) => cutting || complaints.push(what);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complain(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  const note = (body) => {
    sent.push(body);
    if (body.includes('refreshSession')) refreshes.push(body);
  };
  page.on('request', (request) => {
    if (request.method() === 'POST') note(request.postData() ?? '');
    const last = request.headers()['last-event-id'];
    if (last) lastIds.push(last);
  });
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => note(String(payload))));
  // Keeps every text that is shown of a running answer, over reloads.
  page.addInitScript(() => {
    window.seen = [];
    new MutationObserver(() => {
      const shown = [...document.querySelectorAll('.message.bot .text')].at(-1)?.textContent;
      if (shown) window.seen.push(shown);
    }).observe(document, { childList: true, subtree: true, characterData: true });
  });
  return {
    complaints, refreshes,
    cutting: (yes) => (cutting = yes),
    forget() {
      sent = [];
      lastIds = [];
    },
    resumed: () => lastIds.length > 0,
    cursors: () => sent.filter((body) => /"after":"/.test(body)),
  };
}
