/* Buttons that copy the lines beside them, and one that chooses all messages of a list. Without it everything can be selected by hand. */
"use strict";

for (const code of document.querySelectorAll("pre[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Copy the lines for ${code.dataset.copy}`;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the lines and copy them: this browser does not let a page do so";
    }
  });
  code.after(button);
}

for (const list of document.querySelectorAll("form[data-choose]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Choose all on this page";
  button.addEventListener("click", () => {
    for (const box of list.querySelectorAll("input[type=checkbox]")) box.checked = true;
  });
  list.prepend(button);
}
