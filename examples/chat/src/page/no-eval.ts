import * as z from 'zod';

// The AI SDK checks what it reads with zod, which would compile its checks with `eval`: the page's policy forbids that.
z.config({ jitless: true });
