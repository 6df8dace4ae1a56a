// The matrix under Node: JSON lines on stdin and stdout. First line in: {package, url, key, token, topic, table, email}.
import readline from "node:readline";

import { connector, runMatrix, signIn } from "./matrix.mjs";

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);
const report = async (line) => { process.stdout.write(`${JSON.stringify(line)}\n`); };
const ask = async (question) => { await report({ ask: question }); return next(); };

const options = await next();
const library = await import(options.package);
const supabase = options.package.includes("supabase-js") ? library.createClient : undefined;
const realtime = library.RealtimeClient;
const connect = connector({ supabase, realtime, ...options });
if (supabase) await signIn({ supabase, report, ...options });
await runMatrix({ connect, ask, report, topic: options.topic, table: options.table });
process.exit(0);
