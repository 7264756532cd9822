// Builds GraphiQL into dist/, from where web/web.go embeds it: index.html, the assets it names (each with the hash of
// its content in its name, and gzipped), and the licenses of all that went in.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import esbuild from 'esbuild';

const base = '/playground/'; // where web.go serves the assets
const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  outdir: dist,
  publicPath: base,
  entryNames: '[name]-[hash]',
  chunkNames: 'part-[hash]',
  assetNames: '[name]-[hash]',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.ttf': 'file', '.graphql': 'text' },
  legalComments: 'none', // licenses.txt has them whole
  logLevel: 'warning',
};

// The editor's workers come first, since the page has to know what they are called.
const workers = await esbuild.build({
  ...common,
  entryPoints: {
    editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
    json: 'monaco-editor/esm/vs/language/json/json.worker.js',
    graphql: 'monaco-graphql/esm/graphql.worker.js',
  },
});
const page = await esbuild.build({
  ...common,
  splitting: true,
  jsx: 'automatic',
  entryPoints: { main: 'src/main.jsx' },
  define: { ...common.define, WORKERS: JSON.stringify(entries(workers)) },
});

await mkdir(dist, { recursive: true });
for (const name of await readdir(dist)) {
  if (name !== '.gitkeep') await rm(join(dist, name), { recursive: true });
}
const licenses = await licensesOf([workers, page]);
const licensesName = `licenses-${createHash('sha256').update(licenses).digest('hex').slice(0, 8).toUpperCase()}.txt`;
const assets = [...workers.outputFiles, ...page.outputFiles].map(({ path, contents }) => [path, contents]);
for (const [path, contents] of [...assets, [join(dist, licensesName), licenses]]) {
  await writeFile(`${path}.gz`, gzipSync(contents, { level: 9 }));
}
const html = (await readFile(join(here, 'src/index.html'), 'utf8'))
  .replace('MAIN.js', entries(page).main)
  .replace('MAIN.css', cssOf(page))
  .replace('LICENSES.txt', base + licensesName);
await writeFile(join(dist, 'index.html'), html);

// entries gives the address of each entry point by its name.
function entries({ metafile }) {
  const found = {};
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (output.entryPoint) found[path.slice('dist/'.length).replace(/-[^-]*$/, '')] = base + path.slice('dist/'.length);
  }
  return found;
}

function cssOf({ metafile }) {
  const main = Object.values(metafile.outputs).find((output) => output.entryPoint === 'src/main.jsx');
  return base + main.cssBundle.slice('dist/'.length);
}

// licensesOf collects the license of every package of which something is in the bundle.
async function licensesOf(results) {
  const packages = new Set();
  for (const input of results.flatMap(({ metafile }) => Object.keys(metafile.inputs))) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.add(found[1]);
  }
  const texts = [];
  for (const folder of [...packages].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(here, folder, 'package.json'), 'utf8'));
    const file = (await readdir(join(here, folder))).find((each) => /^licen[sc]e/i.test(each));
    const text = file ? await readFile(join(here, folder, file), 'utf8') : `License: ${license}\n`;
    texts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
