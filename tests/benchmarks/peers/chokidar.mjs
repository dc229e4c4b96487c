// What a JavaScript developer writes first: chokidar, Node's own fetch and a rename, with nothing promised. It does not
// wait until a file is whole, or waits two seconds for that (awaitWriteFinish's default), and any failure ends it.
// Usage: node chokidar.mjs [--await-write-finish] DROP_DIR DONE_DIR BASE_URL API_CODE
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { watch } from 'chokidar';

const [drop, done, baseUrl, apiCode] = process.argv.slice(-4);
const awaitWriteFinish = process.argv[2] === '--await-write-finish';

watch(drop, { depth: 0, awaitWriteFinish }).on('add', async (file) => {
  const form = new FormData();
  form.append('File', new Blob([await readFile(file)]), path.basename(file));
  const url = `${baseUrl}/order/${path.parse(file).name}/invoice`;
  const headers = { ApiCode: apiCode, Accept: 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: form });
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  await rename(file, path.join(done, path.basename(file)));
});
