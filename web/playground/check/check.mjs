// Drives the playground in a headless Chromium as a person would, against the running server at KYRO_URL: every step of
// the welcome document, the headers, the explorer, the light and the dark page. Anything on the console, any violation of
// the page's policy and any request to another host is a failure. Screenshots go to the folder KYRO_SHOTS, if set.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const base = new URL(process.env.KYRO_URL ?? 'http://127.0.0.1:8080');
const shots = process.env.KYRO_SHOTS;
const patience = 60_000; // milliseconds until a step is given up

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await walk({ colorScheme: 'light' });
  await look('narrow', { colorScheme: 'dark', viewport: { width: 420, height: 860 } });
  console.log('the playground works: 0 complaints');
} finally {
  await browser.close();
}

// walk goes through the welcome document from top to bottom.
async function walk(options) {
  const p = await open(options);
  let variables = JSON.parse(await p.text('variables.json'));
  const set = async (more) => {
    variables = { ...variables, ...more };
    await p.write('variables.json', JSON.stringify(variables, null, 2));
  };
  const suffix = Date.now().toString(36);
  await p.shot('welcome-light');

  expect((await p.run('Server')).data.serverInfo.limits.acceptedTypes.includes('application/pdf'), 'the server tells what it reads');
  expect(refused(await p.run('CreateBot')) === 'UNAUTHENTICATED', 'nobody can make a bot');
  expect(refused(await p.run('Progress')) === 'UNAUTHENTICATED', 'nobody can follow a document');

  await set({ email: `ada-${suffix}@example.com` });
  const signedUp = (await p.run('SignUp')).data.registerUser;
  expect(signedUp.errors.length === 0, 'signing up works');
  const headers = await p.until('the token is in the headers', async () => {
    const text = await p.text('request-headers.json');
    return text.includes(signedUp.accessToken) && JSON.parse(text);
  });
  expect(headers.authorization === `Bearer ${signedUp.accessToken}`, 'the token is a bearer token');
  await p.shot('signed-up-light');

  const bot = (await p.run('CreateBot')).data.createBot.bot;
  await set({ bot: bot.id });
  const added = (await p.run('AddText')).data.addTextDocument;
  await set({ document: added.document.id });
  const progress = await p.run('Progress', ({ events }) => events?.at(-1).data.documentProgress.status === 'READY');
  expect(progress.events.at(-1).data.documentProgress.percent === 100, 'the document is ready');

  await set({ clientMessageId: `question-${suffix}` });
  const asked = (await p.run('Ask')).data.sendMessage;
  const again = (await p.run('Ask')).data.sendMessage;
  expect(again.botMessage.id === asked.botMessage.id, 'sending again gives the same turn');
  await set({ message: asked.botMessage.id });
  const isOver = ({ events }) => events?.at(-1).data.messageStream.__typename === 'MessageFinished';
  const answer = await p.run('Answer', isOver);
  const { message } = answer.events.at(-1).data.messageStream;
  expect(message.citations[0]?.verified && message.text.includes('Saturday'), 'the answer is cited');
  await p.shot('answer-light');

  const { search } = (await p.run('Search')).data.bot;
  expect(search[0].dropped === null && search[0].chunk.text.includes('Saturday'), 'the search finds what the answer was written from');
  const page = (await p.run('Conversations')).data.viewer.conversations;
  expect(page.totalCount === 1 && page.nodes[0].messages.nodes.length === 2, 'the conversation is there');
  expect((await p.run('Knowledge')).data.bot.documents.nodes[0].chunks.nodes.length > 0, 'the passages are there');

  // A socket has the headers of its moment.
  await p.pasteHeaders('{}');
  expect(refused(await p.run('Answer')) === 'UNAUTHENTICATED', 'without the header nobody follows');
  await p.pasteHeaders(JSON.stringify({ Authorization: `Bearer ${signedUp.accessToken}` }));
  expect(isOver(await p.run('Answer', isOver)), 'with the header pasted in, the stream is there again');
  await p.pasteHeaders(JSON.stringify({ authorization: 'Bearer wrong' }));
  expect(/The socket was closed: 44/.test(refused(await p.run('Answer'))), 'a wrong token closes the socket');

  await set({ refreshToken: signedUp.refreshToken });
  expect((await p.run('Refresh')).data.refreshSession.errors.length === 0, 'refreshing works');
  expect((await p.run('LogOut')).data.logOut.loggedOut, 'logging out works');
  expect((await p.run('LogIn')).data.logIn.errors.length === 0, 'logging in works');
  expect(p.sockets() >= 6, 'each subscription had its socket');

  await p.page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
  await p.page.locator('.graphiql-plugin').getByText('documentProgress').first().waitFor({ timeout: patience });
  await p.shot('explorer-light');
  await p.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await p.page.getByText('Root Types').waitFor({ timeout: patience });
  await p.shot('docs-light');
  await p.page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();

  // A reload keeps what was written, but for the headers.
  const document = await p.text('operation.graphql');
  await p.page.waitForFunction((email) => localStorage.getItem('graphiql:tabState')?.includes(email), variables.email, { timeout: patience });
  const stored = await p.page.evaluate(() => Object.values(localStorage));
  expect(stored.some((each) => each.includes('CreateBot')) && !stored.some((each) => /Bearer (ey|wrong)/.test(each)), 'no token is kept');
  await p.load();
  expect((await p.text('operation.graphql')) === document && JSON.parse(await p.text('variables.json')).email === variables.email, 'a reload keeps the document and its variables');
  expect((await p.text('request-headers.json')) === '', 'a reload forgets the token');
  expect((await p.page.locator('.graphiql-tab').count()) === 1, 'a reload opens no tab');

  // A subscription without an end is stopped by the button.
  await p.run('LogIn');
  await p.write('operation.graphql', 'subscription Watch($bot: ID!) { documentProgress(botId: $bot) { status } }');
  await p.page.locator('.graphiql-tab').getByText('Watch').waitFor({ timeout: patience });
  await p.execute();
  const stop = p.page.getByRole('button', { name: 'Stop query' });
  await stop.waitFor({ timeout: patience });
  await stop.click();
  await p.page.getByRole('button', { name: 'Execute query' }).waitFor({ timeout: patience });
  await p.close();
}

// look takes pictures of the page as it opens.
async function look(name, options) {
  const dark = await open({ colorScheme: 'dark' });
  await dark.run('Server');
  await dark.shot('welcome-dark');
  await dark.close();
  const p = await open(options);
  await p.run('Server');
  await p.shot(name);
  await p.close();
}

// open opens the page in a browser of nobody, and watches what must not happen.
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  let sockets = 0;
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error}`));
  page.on('request', (request) => /^(data|blob):/.test(request.url()) || new URL(request.url()).host === base.host || complaints.push(`asked ${request.url()}`));
  page.on('requestfailed', (request) => complaints.push(`failed ${request.url()}: ${request.failure()?.errorText}`));
  page.on('websocket', () => sockets++);
  await page.exposeFunction('violated', (what) => complaints.push(`policy: ${what}`));
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => globalThis.violated(`${e.violatedDirective} ${e.blockedURI}`)));

  const model = (name) => page.evaluate((end) => globalThis.__MONACO.editor.getModels().find((m) => m.uri.path.endsWith(end)).getValue(), name);
  const p = {
    page,
    // load opens the page, or opens it again, until it is ready for use.
    async load() {
      const introspected = page.waitForResponse((response) => response.url().endsWith('/graphql'), { timeout: patience });
      await page.goto(base.href);
      await introspected;
      await page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length >= 4, null, { timeout: patience });
      await page.locator('.graphiql-spinner').waitFor({ state: 'detached', timeout: patience });
    },
    text: model,
    sockets: () => sockets,
    // write sets the text of an editor; pasteHeaders does it as a person would.
    write: (name, text) => page.evaluate(([end, t]) => globalThis.__MONACO.editor.getModels().find((m) => m.uri.path.endsWith(end)).setValue(t), [name, text]),
    async pasteHeaders(text) {
      await page.getByRole('button', { name: 'Headers', exact: true }).click();
      await page.evaluate((pasted) => {
        const editor = globalThis.__MONACO.editor.getEditors().find((e) => e.getModel()?.uri.path.endsWith('request-headers.json'));
        editor.focus();
        editor.setSelection(editor.getModel().getFullModelRange());
        editor.trigger('keyboard', 'paste', { text: pasted });
      }, text);
    },
    execute: () => page.getByRole('button', { name: 'Execute query' }).click(),
    // run runs an operation by its name and gives the answer, the first that is enough.
    async run(name, enough = () => true) {
      await p.write('response.json', '');
      await p.execute();
      await page.getByRole('menuitem', { name, exact: true }).click();
      return p.until(`an answer of ${name}`, async () => {
        const text = await model('response.json');
        const answer = text && JSON.parse(text);
        return answer && (enough(answer) || refused(answer)) && answer;
      });
    },
    async until(what, condition) {
      const end = Date.now() + patience;
      for (;;) {
        const found = await condition();
        if (found) return found;
        if (Date.now() > end) throw new Error(`${what} did not come; the console: ${complaints.join('\n')}\n${await model('response.json')}`);
        await page.waitForTimeout(50);
      }
    },
    async shot(name) {
      if (!shots) return;
      await mkdir(shots, { recursive: true });
      await page.waitForTimeout(500); // what fades in is there
      await page.screenshot({ path: join(shots, `${name}.png`) });
    },
    async close() {
      await context.close();
      expect(complaints.length === 0, `nothing is complained about:\n${complaints.join('\n')}`);
    },
  };
  await p.load();
  return p;
}

// refused gives the code of an answer's first error, or its message.
function refused(answer) {
  const [error] = answer.errors ?? answer.events?.at(-1).errors ?? [];
  return error && (error.extensions?.code ?? error.message);
}

function expect(ok, what) {
  if (!ok) throw new Error(`not so: ${what}`);
}
