/** The dashboard: one answer of the API every two seconds, drawn as it is. What it can't vouch for, it greys. */
const REFRESH_MS = 2000
const STATUS_WORDS = {
  connected: 'Connected',
  connecting: 'Connecting',
  disconnected: 'Disconnected',
  needs_qr: 'Needs QR',
}

const $ = (selector) => document.querySelector(selector)
let timer

async function api(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  })
  const answer = await response.json()
  if (response.ok) return answer
  throw Object.assign(new Error(answer.error?.message ?? response.statusText), { status: response.status })
}

function show(view) {
  $('#login').hidden = view !== 'login'
  $('#fleet').hidden = view !== 'fleet'
  $('#logout').hidden = view !== 'fleet'
  if (view === 'login') {
    clearTimeout(timer)
    $('#summary').textContent = ''
    $('#login-form input').focus()
  }
}

function lost(message) {
  $('#lost').textContent = message
  $('#lost').hidden = message === ''
  document.body.classList.toggle('stale', message !== '')
}

async function refresh() {
  clearTimeout(timer)
  try {
    draw(await api('GET', '/api/status/dashboard'))
    lost('')
    show('fleet')
  } catch (error) {
    if (error.status === 401) return show('login')
    const why = error.status === undefined ? 'The service does not answer' : error.message
    lost(`${why}: what is shown below is old.`)
  }
  timer = setTimeout(refresh, REFRESH_MS)
}

function draw({ accounts, summary, service, storage, trouble }) {
  $('#trouble').hidden = trouble === null
  if (trouble !== null) set($('#trouble'), `Since ${new Date(trouble.since).toLocaleTimeString()}: ${trouble.message}`)
  const parts = [`${summary.connected} of ${summary.total} connected`]
  if (summary.connecting > 0) parts.push(`${summary.connecting} connecting`)
  if (summary.disconnected > 0) parts.push(`${summary.disconnected} disconnected`)
  if (summary.needs_qr > 0) parts.push(`${summary.needs_qr} need a QR code`)
  parts.push(
    storage.writable ? 'storage writable' : 'STORAGE NOT WRITABLE',
    `up ${duration(service.uptime)}`,
    `version ${service.version}`,
  )
  $('#summary').textContent = parts.join(' · ')
  $('#empty').hidden = accounts.length > 0
  $('#accounts').hidden = accounts.length === 0
  keep($('#accounts tbody'), accounts, drawRow)
  const waiting = accounts.filter((account) => account.qrCode !== undefined)
  $('#waiting').hidden = waiting.length === 0
  keep($('#codes'), waiting, drawCode)
}

/** One child of `parent` per account, kept over refreshes, so that focus and selection survive. */
function keep(parent, accounts, drawOne) {
  const known = new Map([...parent.children].map((child) => [child.dataset.accountId, child]))
  const children = accounts.map((account) => {
    const child = drawOne(account, known.get(account.accountId))
    child.dataset.accountId = account.accountId
    return child
  })
  if (children.some((child, index) => parent.children[index] !== child) || children.length !== parent.children.length) {
    parent.replaceChildren(...children)
  }
}

function drawRow(account, row = newRow()) {
  const [name, phone, status, reason, message, process] = row.cells
  set(name, account.name)
  set(phone, account.phone ?? 'unknown')
  status.firstChild.className = `status ${account.status}`
  set(status.firstChild, STATUS_WORDS[account.status])
  const next = account.nextTryAt === null ? '' : ` Try ${account.attempt + 1} in ${until(account.nextTryAt)}.`
  set(reason, [(account.detail ?? '') + next, account.notice?.message].filter(Boolean).join(' '))
  set(message, account.lastMessageAt === null ? 'none yet' : new Date(account.lastMessageAt).toLocaleString())
  const { pid, rssBytes, crashCount } = account.process
  const memory = rssBytes === null ? '' : ` · ${Math.round(rssBytes / 1048576)} MiB`
  const crashes = crashCount === 0 ? '' : ` · ${crashCount} crashes`
  set(process, (pid === null ? account.process.state : `pid ${pid}`) + memory + crashes)
  const [pair, restart, remove, readable, previous] = row.cells[6].children
  pair.hidden = !account.needsQR || account.qrCode !== undefined
  pair.onclick = () => act(pair, 'POST', `/api/whatsapp/accounts/${account.accountId}/pair`)
  restart.onclick = () => act(restart, 'POST', `/api/whatsapp/accounts/${account.accountId}/restart`)
  for (const [button, from] of [
    [readable, 'readable'],
    [previous, 'previous'],
  ]) {
    button.hidden = account.reason !== 'session_damaged'
    button.onclick = () => {
      const question = `Recover ${account.name}? What is newer is lost. The damaged files are set aside first.`
      const path = `/api/whatsapp/accounts/${account.accountId}/recover`
      if (window.confirm(question)) void act(button, 'POST', path, { from })
    }
  }
  remove.onclick = () => {
    const question = `Remove ${account.name}? Its session is set aside on the disk, and its phone has to be linked again.`
    if (window.confirm(question)) void act(remove, 'DELETE', `/api/whatsapp/accounts/${account.accountId}`)
  }
  return row
}

function newRow() {
  const row = document.createElement('tr')
  for (let i = 0; i < 7; i++) row.insertCell()
  row.cells[1].className = 'phone'
  row.cells[5].className = 'number'
  row.cells[2].append(document.createElement('span'))
  for (const words of ['Show QR', 'Restart', 'Remove', 'Use the readable part', 'Use the previous generation']) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = words
    row.cells[6].append(button)
  }
  return row
}

function drawCode(account, item = document.createElement('li')) {
  if (item.children.length === 0) item.append(document.createElement('strong'), document.createElement('img'))
  const [name, image] = item.children
  set(name, `${account.name} ${account.phone ?? ''}`)
  if (image.src !== account.qrCode) {
    image.src = account.qrCode
    image.alt = `QR code of ${account.name}`
  }
  return item
}

async function act(button, method, path, body) {
  button.disabled = true
  try {
    await api(method, path, body)
    await refresh()
  } catch (error) {
    window.alert(error.message)
  } finally {
    button.disabled = false
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function until(iso) {
  return duration(Math.max(0, Math.round((Date.parse(iso) - Date.now()) / 1000)))
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86400)} days`
}

function onSubmit(form, send) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = form.querySelector('button')
    const error = form.querySelector('.error')
    button.disabled = true
    error.textContent = ''
    try {
      await send(Object.fromEntries(new FormData(form)))
      form.reset()
      await refresh()
    } catch (problem) {
      error.textContent = problem.message
    } finally {
      button.disabled = false
    }
  })
}

onSubmit($('#login-form'), ({ token }) => api('POST', '/api/login', { token: token.trim() }))
onSubmit($('#add-form'), (body) => api('POST', '/api/whatsapp/add-account', body))
$('#logout').addEventListener('click', async () => {
  try {
    await api('POST', '/api/logout')
    show('login')
  } catch (error) {
    lost(error.message)
  }
})

const code = /^#login=(.+)$/.exec(location.hash)?.[1]
if (code !== undefined) {
  // Used up by now, and nothing to bookmark.
  history.replaceState(null, '', '/')
  await api('POST', '/api/login', { code }).catch(() => undefined)
}
await refresh()
