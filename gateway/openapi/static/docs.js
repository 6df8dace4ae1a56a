// Search, snippets and trying requests on the pages of /docs. Without it they are complete, only quieter.
// The API key is held by the input that it is typed into: in this tab's memory, until it is closed or loaded anew.
// So links between these pages exchange their contents and leave the tab as it is.

const $ = (selector, root = document) => root.querySelector(selector)
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)]
const LANGUAGES = { curl: 'curl', python: 'Python', javascript: 'JavaScript' }
const MOST_HITS = 20

let entries = null // of the search, fetched when somebody first searches

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

// Each block of code gets a button that copies it; each group of snippets gets tabs.
function dress(root) {
  const printed = document.body.dataset.base
  for (const code of $$('pre code', root)) {
    if (printed !== location.origin) code.textContent = code.textContent.replaceAll(printed, location.origin)
  }
  for (const block of $$('pre:not(.answer pre)', root)) {
    if (!navigator.clipboard) { // only on https and on this machine; what scrolls needs something to stop at
      block.tabIndex = 0
      continue
    }
    const text = block.textContent
    const button = element('button', { type: 'button', className: 'copy', textContent: 'Copy' })
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(text)
      button.textContent = 'Copied'
    })
    block.append(button)
  }
  for (const group of $$('.snippets', root)) {
    const tabs = Object.entries(LANGUAGES).map(([lang, textContent]) => {
      const tab = element('button', { type: 'button', textContent })
      tab.dataset.tab = lang
      tab.addEventListener('click', () => speak(lang))
      return tab
    })
    group.prepend(element('div', { className: 'tabs' }, ...tabs))
  }
  for (const form of $$('form.try', root)) {
    form.parentElement.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      send(form)
    })
  }
  speak(document.body.dataset.lang || 'curl')
}

function speak(lang) {
  document.body.dataset.lang = lang
  for (const tab of $$('[data-tab]')) tab.setAttribute('aria-pressed', String(tab.dataset.tab === lang))
}

// Sends what a form says, to this gateway and nowhere else (the page's policy allows no other), and shows the answer.
async function send(form) {
  const shown = $('.answer', form)
  shown.hidden = false
  shown.replaceChildren('…')
  try {
    const { url, options } = request(form)
    const began = performance.now()
    const answer = await fetch(url, options)
    const text = await answer.text()
    const took = `${Math.round(performance.now() - began)} ms`
    shown.toggleAttribute('data-wrong', !answer.ok)
    const tag = answer.headers.get('ETag')
    shown.replaceChildren(
      element('b', { textContent: `${answer.status} ${answer.statusText}` }),
      ` ${took}${tag ? `, ETag ${tag}` : ''}`,
      element('pre', { textContent: pretty(text), tabIndex: 0 }),
    )
  } catch (error) {
    shown.toggleAttribute('data-wrong', true)
    shown.replaceChildren(element('b', { textContent: 'Not sent. ' }), String(error.message || error))
  }
}

function request(form) {
  let path = form.dataset.path
  const query = new URLSearchParams()
  const headers = {}
  const key = $('#key').value.trim()
  if (!key) throw new Error('Type your API key at the top of the page first.')
  headers['X-API-Key'] = key
  for (const input of $$('[data-in]', form)) {
    const value = input.value.trim()
    if (input.dataset.in === 'path') {
      if (!value) throw new Error(`${input.name} is missing.`)
      path = path.replace(`{${input.name}}`, encodeURIComponent(value))
    } else if (value && input.dataset.in === 'query') query.append(input.name, value)
    else if (value) headers[input.name] = value
  }
  const options = { method: form.dataset.method, headers, cache: 'no-store', credentials: 'omit' }
  const body = $('textarea', form)
  if (body) {
    JSON.parse(body.value)
    options.body = body.value
    headers['Content-Type'] = 'application/json'
  }
  return { url: query.size ? `${path}?${query}` : path, options }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

// Every word has to occur; what has it in its title or path comes first, and what is done before what goes wrong and
// what it is made of.
async function search(words) {
  entries ??= await (await fetch('/docs/search.json')).json()
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  const count = (text) => wanted.filter((word) => text.toLowerCase().includes(word)).length
  const rank = ({ title, place }) =>
    place.includes(' /') ? count(`${title} ${place}`) + count(title) / 100 : count(title) - (place === 'Schema' ? wanted.length : 0)
  return entries
    .filter((entry) => wanted.every((word) => `${entry.title} ${entry.place} ${entry.words}`.toLowerCase().includes(word)))
    .sort((one, other) => rank(other) - rank(one))
    .slice(0, MOST_HITS)
}

async function showHits(words) {
  const found = $('#found')
  const page = $('#page')
  if (!words.trim()) {
    found.hidden = true
    page.hidden = false
    return
  }
  const hits = await search(words)
  if ($('#search').value !== words) return // more was typed meanwhile
  const lines = hits.map((hit) =>
    element('li', {}, element('a', { href: hit.url, textContent: hit.title }), element('small', { textContent: hit.place })),
  )
  const title = element('h1', { textContent: hits.length ? 'Found' : `Nothing is found for “${words}”` })
  found.replaceChildren(title, element('ul', { className: 'results' }, ...lines))
  found.hidden = false
  page.hidden = true
}

async function go(address, { keep = false } = {}) {
  const url = new URL(address, location.href)
  if (url.pathname !== location.pathname || keep) {
    const answer = await fetch(url)
    if (!answer.ok) return location.assign(url)
    const other = new DOMParser().parseFromString(await answer.text(), 'text/html')
    $('nav').replaceWith($('nav', other))
    $('#page').replaceWith($('#page', other))
    document.title = other.title
    dress($('#page'))
  }
  if (!keep) history.pushState(null, '', url)
  $('#menu').checked = false
  $('#search').value = ''
  await showHits('')
  const place = url.hash && document.getElementById(decodeURIComponent(url.hash.slice(1)))
  if (place) {
    for (let around = place; around; around = around.parentElement) if (around.tagName === 'DETAILS') around.open = true
    place.scrollIntoView()
  } else window.scrollTo(0, 0)
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]')
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return
  const url = new URL(link.href)
  if (url.origin !== location.origin || !/^\/docs(\/|$)/.test(url.pathname)) return
  event.preventDefault()
  go(url)
})
window.addEventListener('popstate', () => go(location.href, { keep: true }))
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault()
    $('#search').focus()
  }
})
$('#search').addEventListener('input', (event) => showHits(event.target.value))
$('#search').addEventListener('keydown', (event) => {
  const first = $('#found a')
  if (event.key === 'Enter' && first) go(first.href)
  if (event.key === 'Escape') go(location.href)
})
for (const tool of $$('[data-script]')) tool.hidden = false
dress($('#page'))
