// What the page's buttons do. A POST here must be JSON and carry X-Gateway, which no plain form can.
"use strict";

const all = (selector) => [...document.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const ticked = (name) => all(`input[name=${name}]:checked`);
const words = (said) => said.words || [said.error, said.fix].filter(Boolean).join("; ");

let keep = ""; // what was said last; it outlives the next look for news
const say = (text) => {
  keep = text;
  if (one("#said")) one("#said").textContent = text;
};

async function post(path, body) {
  const reply = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Gateway": "1" },
    body: JSON.stringify(body),
  });
  return reply.json();
}

// The steps that are ticked, and what the person saw of the first.
function chosen() {
  const steps = ticked("step");
  if (!steps.length) return {};
  const { ris, patient, study } = steps[0].dataset;
  return { steps: steps.map((step) => step.value), ris, patient_id: patient, study_uid: study };
}

const untick = () => ticked("step").forEach((step) => (step.checked = false));

// Ask with everybody's names; resolves to what was typed as a reason, or null.
function confirmed(question, reason) {
  const dialog = document.createElement("dialog");
  const add = (tag, text, parent = dialog) => Object.assign(parent.appendChild(document.createElement(tag)), { textContent: text });
  add("p", question);
  const why = reason ? Object.assign(add("label", "Why? ").appendChild(document.createElement("input")), { maxLength: 64 }) : null;
  const yes = add("button", "Yes", add("p", ""));
  const no = add("button", "No", yes.parentNode);
  if (why) {
    yes.disabled = true;
    why.addEventListener("input", () => (yes.disabled = !why.value.trim()));
  }
  document.body.append(dialog);
  dialog.showModal();
  (why || no).focus();
  return new Promise((done) => {
    dialog.addEventListener("close", () => { dialog.remove(); done(null); });
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => { done(why ? why.value.trim() : ""); dialog.close(); });
  });
}

const orders = {
  start: async () => post("/exam/start", { devices: ticked("device").map((box) => box.value), ...chosen() }),
  emergency: async () => post("/exam/start", { devices: ticked("device").map((box) => box.value), emergency: true }),
  stop: async ({ exam }) => post("/exam/stop", { exam }),
  give: async ({ subject }) => {
    const order = { subject, ...chosen() };
    let said = await post("/recording/give", order);
    while (said.question) { // again, if somebody else gave it away meanwhile
      const why = await confirmed(said.question, said.correct);
      if (why === null) return { words: "Nothing was changed." };
      said = await post("/recording/give", { ...order, why, confirmed: said.confirm });
    }
    return said;
  },
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("main button");
  if (!button) return;
  button.disabled = true;
  try {
    if (button.dataset.post) {
      const { name, takes } = button.dataset;
      say(words(await post(button.dataset.post, { name, takes: takes || undefined })));
    } else {
      const said = await orders[button.dataset.do](button.dataset);
      say(said.exam && !said.words ? `Exam ${said.exam} is ${said.state}.` : words(said));
      if (!said.error) untick();
    }
  } catch {
    say("The box does not answer. Look below before you try again: it may have done it.");
  }
  button.disabled = false;
  news();
});

// Steps of one patient may be ticked together; one of another patient takes their place.
document.addEventListener("change", (event) => {
  const step = event.target;
  if (step.name !== "step" || !step.checked) return;
  for (const other of ticked("step")) {
    if (other.dataset.patient !== step.dataset.patient || other.dataset.ris !== step.dataset.ris) other.checked = false;
  }
});

// A scanner types what it read, and ends with Enter.
document.addEventListener("keydown", async (event) => {
  const field = event.target;
  if (field.id !== "barcode" || event.key !== "Enter") return;
  const barcode = field.value;
  field.value = "";
  if (!barcode.trim()) return;
  try {
    const found = await post("/worklist/scan", { barcode });
    untick();
    if (found.error) return say(words(found));
    const step = all("input[name=step]").find((box) => box.value === found.step_id && box.dataset.ris === found.ris && box.dataset.patient === found.patient_id);
    if (!step) return say("That step is not on this page yet: scan again in a moment.");
    step.checked = true;
    step.scrollIntoView({ block: "center" });
    say(`Chosen by bar code: ${step.getAttribute("aria-label")}`);
  } catch {
    say("The box does not answer: scan again.");
  }
});

// News, but never while somebody is choosing, typing or being asked.
async function news() {
  const busy = () => ticked("step").length || one("#barcode")?.value || one("dialog");
  if (busy()) return;
  try {
    const reply = await fetch("/");
    if (!reply.ok) return;
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    if (busy()) return; // by now
    const devices = ticked("device").map((box) => box.value);
    const typing = document.activeElement?.id === "barcode";
    one("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
    one("header").replaceWith(document.adoptNode(fresh.querySelector("header")));
    document.title = fresh.title;
    all("input[name=device]").forEach((box) => (box.checked ||= devices.includes(box.value)));
    if (typing) one("#barcode")?.focus();
    say(keep);
  } catch {
    document.title = "Not working: the box does not answer";
  }
}

setInterval(news, 1000 * Number(one("main").dataset.refresh));
