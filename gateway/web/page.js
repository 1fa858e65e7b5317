// The page's buttons: a POST here must be JSON and carry X-Gateway, which no plain form can.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  button.disabled = true;
  try {
    const reply = await fetch(button.dataset.post, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Gateway": "1" },
      body: JSON.stringify({ name: button.dataset.name, takes: button.dataset.takes || undefined }),
    });
    const said = await reply.json();
    button.replaceWith(said.words || [said.error, said.fix].filter(Boolean).join("; "));
  } catch {
    button.disabled = false;
  }
});
