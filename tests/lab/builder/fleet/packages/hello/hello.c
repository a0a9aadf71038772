#include <stdio.h>

int main(void) { puts("hello from a package"); return 0; }
