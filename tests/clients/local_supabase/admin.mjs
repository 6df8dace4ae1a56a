// supabase-js with the secret key: makes, lists, changes and deletes users. Arguments: URL, secret key. Says what it saw.
import { createClient } from '@supabase/supabase-js'

const { auth } = createClient(process.argv[2], process.argv[3], { auth: { persistSession: false } })
const [seen, mark] = [{}, crypto.randomUUID()]
const must = ({ data, error }) => {
  if (error) throw error
  return data
}

const users = []
for (const name of ['ana', 'ben', 'eva']) {
  const email = `${name}-${mark}@example.com`
  users.push(must(await auth.admin.createUser({ email, password: 'correct horse', email_confirm: true })).user)
}
const page = must(await auth.admin.listUsers({ page: 1, perPage: 2 }))
seen.newest = page.users.map(({ email }) => email.split('-')[0])
seen.pages = [page.nextPage, page.lastPage >= 2, page.total >= 3]
seen.all = must(await auth.admin.listUsers()).users.filter(({ id }) => users.some((user) => user.id === id)).length

const [ana, ben, eva] = users.map(({ id }) => id)
const account = { chat_accounts: ['a0000000-0000-4000-8000-000000000001'] }
const change = { email: `anna-${mark}@example.com`, password: 'another horse', app_metadata: account, user_metadata: { a: 1, b: 2 } }
await auth.admin.updateUserById(ana, change)
const { user } = must(await auth.admin.updateUserById(ana, { user_metadata: { a: null, c: 3 } }))
seen.changed = [user.email.split('-')[0], user.identities[0].email.split('-')[0], user.app_metadata, user.user_metadata]
const visitor = createClient(process.argv[2], process.argv[3], { auth: { persistSession: false } }).auth
seen.signsIn = Boolean((await visitor.signInWithPassword({ email: change.email, password: change.password })).data.session)
must(await auth.admin.updateUserById(ana, { ban_duration: '1h30m' }))
seen.banned = (await visitor.signInWithPassword({ email: change.email, password: change.password })).error?.code
must(await auth.admin.updateUserById(ana, { ban_duration: 'none' }))
seen.letIn = (await visitor.signInWithPassword({ email: change.email, password: change.password })).error

seen.taken = (await auth.admin.updateUserById(ana, { email: users[1].email })).error?.message

must(await auth.admin.deleteUser(ben))
seen.gone = (await auth.admin.getUserById(ben)).error?.code
must(await auth.admin.deleteUser(eva, true))
const left = must(await auth.admin.getUserById(eva)).user
seen.forgotten = [left.email.includes('eva'), Boolean(left.deleted_at), left.user_metadata, left.identities[0].identity_data]
seen.errors = [
  (await auth.admin.deleteUser(ben)).error?.code,
  (await auth.admin.updateUserById(ana, { email: 'nonsense' })).error?.code,
  (await auth.admin.updateUserById(ana, { password: 'x' })).error?.code,
  (await auth.admin.updateUserById(ana, { ban_duration: 'long' })).error?.code,
]
console.log(JSON.stringify(seen))
