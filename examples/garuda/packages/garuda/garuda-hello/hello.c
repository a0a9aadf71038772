#include <stdio.h>

int main(void) { puts("hello from garuda"); return 0; }
